"""Tests of agent.testing."""
