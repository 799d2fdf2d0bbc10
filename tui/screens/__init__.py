"""Whole screens beside the main one: the X-ray and the lesson. Never train; never write to the terminal itself."""
