"""Which provider serves a (domain, key): candidates, their ranking, the registry and the resolver."""

from oneiric.core.resolution.candidates import (
    Candidate,
    CandidateSource,
    FactoryType,
    KeyName,
    ProviderName,
    ReplaceResult,
    ResolverSettings,
)
from oneiric.core.resolution.ranking import CandidateRank, ResolutionExplanation
from oneiric.core.resolution.registry import CandidateRegistry
from oneiric.core.resolution.resolver import (
    PATH_PRIORITY_HINTS,
    STACK_ORDER_ENV,
    Resolver,
    infer_priority,
    register_pkg,
)

__all__ = [
    "PATH_PRIORITY_HINTS",
    "STACK_ORDER_ENV",
    "Candidate",
    "CandidateRank",
    "CandidateRegistry",
    "CandidateSource",
    "FactoryType",
    "KeyName",
    "ProviderName",
    "ReplaceResult",
    "ResolutionExplanation",
    "Resolver",
    "ResolverSettings",
    "infer_priority",
    "register_pkg",
]
