"""What shop systems send in a form of their own."""
