"""What the worker is made of, for `make audit`: advisories, licences, an SBOM."""
