"""What needs frames that went before: stream numbers, later also datagrams from fragments and bytes from segments."""
