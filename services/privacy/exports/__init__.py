"""What people may see and take along: gathered, sealed on disk until it is fetched, gone soon after."""
