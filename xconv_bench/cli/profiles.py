"""``xconv-bench profiles``: list the profiles that come with the package."""

from __future__ import annotations


def profiles() -> None:
    """List the profiles that come with xconv-bench, what they measure and how long they take."""
    from xconv_bench.profiles import read_profile, shipped_profiles
    from xconv_bench.report.tables.terminal import Block, Printed, TextColumn, print_tables

    found = {name: read_profile(path) for name, path in shipped_profiles().items()}
    commands = [
        ", ".join(dict.fromkeys(each.command for each in profile.experiments))
        for profile in found.values()
    ]
    part = Block(
        "",
        [TextColumn("profile", list(found), "left")],
        [
            TextColumn("shows", [profile.title for profile in found.values()], "left"),
            TextColumn("measures", commands, "left"),
            TextColumn("takes", [profile.cost for profile in found.values()], "left"),
        ],
    )
    print_tables(Printed([part]))
