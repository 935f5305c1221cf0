"""Key figures of each month and segment: customers, churn, revenue, CLV, surveys, cohorts."""

from churnkit.kpi.figures import Figure
from churnkit.kpi.kpis import kpis
from churnkit.kpi.measures import MEASURES, Measure
from churnkit.kpi.result import Cohort, Kpis

__all__ = ["MEASURES", "Cohort", "Figure", "Kpis", "Measure", "kpis"]
