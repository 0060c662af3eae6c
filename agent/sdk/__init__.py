"""Everything that relies on private parts of LiveKit's SDKs, each with a contract test."""
