"""A whole consumer, as small as one can be: whoever was refunded is looked at again by the sender."""
