"""What the capture file itself says: lengths that contradict each other, frames without bytes."""

from . import rule


@rule("warn", "capture", "{frame.cap_len} bytes captured of a frame of {frame.len}: the file contradicts itself", subject="frame")
def longer_than_the_wire(h):
    """The file holds more bytes of a frame than it says the frame had.

    All the bytes are decoded. A wrong length comes from the program that wrote the file, not from the network.
    """
    return h["frame.cap_len"] > h["frame.len"]


@rule("note", "capture", "a frame of no bytes", subject="frame")
def empty_frame(h):
    """A record without a single byte. Nothing is decoded; the frame is counted."""
    return h["frame.cap_len"] == 0


@rule("warn", "capture", "a fraction of {frame.fraction} behind the seconds of its time is a second or more", subject="frame")
def time_fraction(h):
    """The record's fraction of a second is no fraction: 1,000,000 microseconds or more.

    Most often nanoseconds were written under the magic number of microseconds. The time is shown as the file has it, late by up to
    an hour and more; differences between frames are a thousand times what they were.
    """
    return h["frame.fraction"] > 0


@rule("note", "capture", "recorded {frame.time_delta} s after the frame before it: time went back", subject="frame")
def time_went_back(h):
    """A frame has an earlier time than the one stored before it.

    Microseconds are ordinary: two processors stamp frames, one writes them. Seconds mean that a clock was set,
    or that files were joined in the wrong order. Frames keep the file's order and their own times.
    """
    return h["frame.time_delta"] < 0
