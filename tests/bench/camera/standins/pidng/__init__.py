"""In place of the library that writes DNG files: Picamera2 imports it at once."""
