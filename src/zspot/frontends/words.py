"""What every front end says of progress and of errors."""

import traceback
from pathlib import Path

from zspot.core.errors import ZspotError, printable
from zspot.core.progress import Progress

_STAGES = {
    "look": "looking at the noise",
    "fit": "learning",
    "predict": "predicting",
    "finish": "finishing",
    "filter": "filtering",
}


def stage_in_words(progress: Progress) -> str:
    """Say what is being done; a stage without words of its own is said as it is."""
    return _STAGES.get(progress.stage, progress.stage)


def left_in_words(progress: Progress) -> str:
    """Say how much is done and how long the rest takes."""
    done = f"{100 * progress.done / progress.total:.0f} %" if progress.total else "started"
    if progress.seconds_left is None:
        return done
    return f"{done}, about {duration(progress.seconds_left)} left"


def duration(seconds: float) -> str:
    """Write a time in its two largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def error_in_words(error: BaseException) -> str:
    """Say in one line what went wrong, and where if zspot did not foresee it."""
    text = " ".join(printable(str(error)).split())
    if isinstance(error, ZspotError):
        return text
    if isinstance(error, MemoryError):
        return f"not enough memory{f': {text}' if text else ''}"
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"unexpected failure{where}: {text or 'no reason was given'}"
