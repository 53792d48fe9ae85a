"""Doors for what shop systems send in their own form and with their own proof."""
