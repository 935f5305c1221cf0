# churnkit as a small image: nothing in it but Python, what churnkit needs, and churnkit.
# How to build and run it: docs/docker.md.

FROM python:3.11.14-slim-bookworm AS build
WORKDIR /src
# What builds is not in the image that runs. Every package comes by its hash.
COPY requirements-release.lock requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements-release.lock
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN uv venv /opt/churnkit
RUN uv pip install --no-cache --python /opt/churnkit/bin/python --require-hashes --requirement requirements.lock
RUN python -m build --wheel --no-isolation --outdir dist
RUN uv pip install --no-cache --python /opt/churnkit/bin/python --no-deps --no-index dist/*.whl

FROM python:3.11.14-slim-bookworm
# LightGBM computes in parallel with it.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/churnkit /opt/churnkit
# Whoever it runs as, perhaps with --user, has no home: what libraries keep goes with the container.
ENV PATH=/opt/churnkit/bin:$PATH HOME=/tmp GIT_PYTHON_REFRESH=quiet PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /project
ENTRYPOINT ["churnkit"]
CMD ["--help"]
