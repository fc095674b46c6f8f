"""The city on loopback: real HTTP servers that play Aliyun, Twilio, the broadcast gateways and the party platforms.

They record what they take before they answer, and delay, refuse, hang, throttle, cut or lie when told to. Demo, drills,
training and tests use the same ones, in a process of their own, reached as any provider is:
`python -m dispatcher.rehearsal --dir DIR …`. The benchmark (`bench/`) has a cheaper provider, which must not be the limit.
"""
