"""What Tocsin's services say to each other: ids, words, messages and the table of topics."""
