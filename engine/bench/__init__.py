"""How fast this machine trains, writes and reads: ours beside its peers, in turns within one run."""
