"""The worker's supply chain, for `make audit`: advisories, licences, an SBOM."""
