"""Open-Meteo emulated: a transport in its place, and a recording of weather to answer from."""
