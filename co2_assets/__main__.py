"""`python -m co2_assets` is the `co2` command."""

from co2_assets.cli.commands import main

main()
