"""Two readings of the same rows, compared array by array."""

from __future__ import annotations

import numpy as np

from churnkit.logs import Events, Logs


def assert_same_logs(one: Logs, other: Logs) -> None:
    """Same customers with what is known of them, same events in the same order."""
    assert list(one.customer_ids) == list(other.customer_ids)
    assert one.events.keys() == other.events.keys()
    for log, events in one.events.items():
        assert_same_events(events, other.events[log])
    assert (one.yearly_value is None) == (other.yearly_value is None)
    if one.yearly_value is not None:
        np.testing.assert_array_equal(one.yearly_value, other.yearly_value)
    assert one.static.keys() == other.static.keys()
    for name, texts in one.static.items():
        assert texts.as_list() == other.static[name].as_list()


def assert_same_events(one: Events, other: Events) -> None:
    """Same customers, times and measures, down to the words of the vocabularies."""
    assert one.vocabularies == other.vocabularies
    assert one.columns.keys() == other.columns.keys()
    np.testing.assert_array_equal(one.customer, other.customer)
    np.testing.assert_array_equal(one.ts, other.ts)
    for name, values in one.columns.items():
        np.testing.assert_array_equal(values, other.columns[name], err_msg=name)
