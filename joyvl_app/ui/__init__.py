"""The page: Gradio lays it out, fastrtc brings the video in, and one event stream a session feeds what moves."""
