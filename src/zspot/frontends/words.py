"""What every front end says of progress."""

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
