"""Profiles: benchmark plans in TOML, with their thresholds."""

from xconv_bench.profiles.reading import Profile, read_profile
from xconv_bench.profiles.shipped import find_profile, shipped_profiles

__all__ = ["Profile", "find_profile", "read_profile", "shipped_profiles"]
