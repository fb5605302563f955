"""An emulator of the service in this process. It answers requests as Energinet does.

The emulated service and its sources of rows belong here: the recording and the simulator. The client
reaches it through an httpx transport and does not know it from the live service.
"""
