"""Access to Open-Meteo, the weather forecast (https://open-meteo.com, CC BY 4.0).

Its parameters and its form of an answer belong here, and the emulator, which answers the same requests from
a recording or a simulation. The free service is for non-commercial use. This package knows the contracts and
`co2_assets.http_service` only.
"""
