"""From what the user named to files that can be read: folders, archives, compressed files, standard input."""
