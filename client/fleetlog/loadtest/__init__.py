"""Does a server hold what it promises under a load? Workers that log, what they were told, and what is there then."""
