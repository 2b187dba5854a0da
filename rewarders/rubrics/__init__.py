"""The rubrics that ship with Assay, one TOML file each."""
