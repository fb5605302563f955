"""The logger of a run in the terminal: one short line for each message."""

import logging
import re
import sys

import dagster as dg

_OUR_ERROR = re.compile(r"^co2_assets(\.\w+)+: ")


class ShortLines(logging.Formatter):
    """``12:00:01  aggregated_data  12,344 complete hours``, without Dagster's run identifiers."""

    def format(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", {})
        message = meta.get("orig_message") or record.getMessage()
        step = meta.get("step_key") or ""
        level = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        line = f"{self.formatTime(record, '%H:%M:%S')}  {step:24s} {level}{message}"
        reason = reason_of(meta.get("dagster_event"))
        return f"{line} {reason}" if reason else line


def reason_of(event: dg.DagsterEvent | None) -> str:
    """Return the error message of our own code if the event reports an error, else an empty text."""
    error = getattr(event.event_specific_data, "error", None) if event is not None else None
    # Dagster's error wraps our error, which names the remedy. Errors of libraries are further inside.
    if error is not None and error.cause is not None:
        error = error.cause
    # Where the class of our error is defined says nothing to a reader; its message does.
    return _OUR_ERROR.sub("", error.message.strip()) if error is not None else ""


def _is_news(record: logging.LogRecord) -> bool:
    """Return False for the records of steps that are skipped because an earlier step failed."""
    return not record.getMessage().split(" - ")[-1].startswith("Dependencies for step")


@dg.logger(
    {"log_level": dg.Field(str, is_required=False, default_value="INFO")},
    description="One short line for each message.",
)
def console_logger(context: dg.InitLoggerContext) -> logging.Logger:
    """Return a logger that writes to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ShortLines())
    logger = logging.Logger("co2", level=context.logger_config["log_level"])
    handler.addFilter(_is_news)
    logger.addHandler(handler)
    return logger
