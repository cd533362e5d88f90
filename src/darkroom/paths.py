"""Where Darkroom keeps its files.  Asking creates nothing."""

from pathlib import Path

import platformdirs

from darkroom import settings


def models_folder() -> Path:
    """Installed models (setting `models_folder`, environment `DARKROOM_MODELS_FOLDER`)."""
    data = platformdirs.user_data_path("darkroom", appauthor=False)
    return _chosen("models_folder") or data / "models"


def cache_folder() -> Path:
    """Facts that can be measured again (setting `cache_folder`)."""
    return _chosen("cache_folder") or platformdirs.user_cache_path("darkroom", appauthor=False)


def data_folder() -> Path:
    """Queue and gallery of the server (setting `data`)."""
    data = platformdirs.user_data_path("darkroom", appauthor=False)
    return _chosen("data") or data / "server"


def styles_file() -> Path:
    """Styles for prompts (setting `styles_file`), whether it exists or not."""
    return _chosen("styles_file") or settings.config_file().parent / "styles.csv"


def wildcards_folder() -> Path:
    """Texts for `__name__` in prompts (setting `wildcards_folder`)."""
    return _chosen("wildcards_folder") or settings.config_file().parent / "wildcards"


def output_folder() -> Path:
    """Finished images: `darkroom/` among the user's pictures.

    Where there is no folder for pictures (a server, a container): `outputs/` in the working
    directory.
    """
    pictures = platformdirs.user_pictures_path()
    return pictures / "darkroom" if pictures.is_dir() else Path("outputs")


def _chosen(name: str) -> Path | None:
    value = settings.read(name)
    return Path(str(value)).expanduser() if value else None
