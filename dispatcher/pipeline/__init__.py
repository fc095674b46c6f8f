"""Where the steps meet: `order.py` states the flow, and each verb is a file of its own.

Steps never import one another; whatever needs two of them is a verb here. A verb that changes something does it in one
transaction and tells the sender only after the commit.
"""
