"""The city on loopback: real HTTP servers that play Aliyun, Twilio, the broadcast gateways and the party platforms.

They record what they take before they answer, and delay, refuse, hang, throttle, cut or lie when told to. Demo, drills,
training, tests and benchmark use the same ones, in a process of their own, reached as any provider is:
`python -m dispatcher.rehearsal --dir DIR …`.
"""
