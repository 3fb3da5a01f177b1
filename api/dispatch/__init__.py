"""The worker between signed orders and the banks: its loop, its clocks, its pool of calls."""
