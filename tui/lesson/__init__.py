"""The guided lesson without its screen: its stops, runs, progress and pictures. No framework."""
