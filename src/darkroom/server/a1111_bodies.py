"""What AUTOMATIC1111's API is sent, as its clients send it.

Every field may be missing or null: then it was not said, and model, sampler and settings decide.
Numbers and switches may be written as text.  Fields that are not listed are remembered and told.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat

SHOWN = 40  # characters of a client's word that a message repeats
MAX_STYLES = 50


def _spelled(text: str) -> str:
    """Text that can be written as UTF-8: JSON may hold halves of characters."""
    return text.encode("utf-8", "replace").decode()


Text = Annotated[str, AfterValidator(_spelled)]
Number = FiniteFloat
Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class Body(BaseModel):
    """Unknown fields are kept apart, so that it can be said that they do nothing."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    def unknown(self) -> list[str]:
        """The names of fields that this API does not know, as far as they say anything."""
        said = self.model_extra or {}
        names = [name for name, value in said.items() if value not in _NOTHING]
        return [ascii(name[:SHOWN])[1:-1] for name in names]


_NOTHING: tuple[object, ...] = (None, False, "", 0, -1, [], {})


class Making(Body):
    """What txt2img and img2img have in common."""

    prompt: Text | None = None
    negative_prompt: Text | None = None
    styles: Annotated[list[Text], Field(max_length=MAX_STYLES)] | None = None
    seed: Whole | None = None
    subseed: Whole | None = None
    subseed_strength: Number | None = None
    seed_resize_from_h: Whole | None = None
    seed_resize_from_w: Whole | None = None
    sampler_name: Text | None = None
    sampler_index: Text | None = None
    scheduler: Text | None = None
    batch_size: Whole | None = None
    n_iter: Whole | None = None
    steps: Whole | None = None
    cfg_scale: Number | None = None
    width: Whole | None = None
    height: Whole | None = None
    restore_faces: bool | None = None
    tiling: bool | None = None
    do_not_save_samples: bool | None = None
    do_not_save_grid: bool | None = None
    eta: Number | None = None
    denoising_strength: Number | None = None
    s_min_uncond: Number | None = None
    s_churn: Number | None = None
    s_tmax: Number | None = None
    s_tmin: Number | None = None
    s_noise: Number | None = None
    override_settings: dict[str, Any] | None = None
    override_settings_restore_afterwards: bool | None = None
    refiner_checkpoint: Text | None = None
    refiner_switch_at: Number | None = None
    script_name: Text | None = None
    script_args: list[Any] | None = None
    send_images: bool | None = None
    save_images: bool | None = None
    alwayson_scripts: dict[str, Any] | None = None
    infotext: Text | None = None


class Txt2Img(Making):
    """The body of `/sdapi/v1/txt2img`."""

    enable_hr: bool | None = None
    hr_scale: Number | None = None
    hr_upscaler: Text | None = None
    hr_second_pass_steps: Whole | None = None
    hr_resize_x: Whole | None = None
    hr_resize_y: Whole | None = None
    hr_checkpoint_name: Text | None = None
    hr_sampler_name: Text | None = None
    hr_scheduler: Text | None = None
    hr_prompt: Text | None = None
    hr_negative_prompt: Text | None = None
    firstphase_width: Whole | None = None
    firstphase_height: Whole | None = None


class Img2Img(Making):
    """The body of `/sdapi/v1/img2img`.  Pictures are base64, bare or as a data URL."""

    init_images: list[Text] | None = None
    resize_mode: Whole | None = None
    image_cfg_scale: Number | None = None
    mask: Text | None = None
    mask_blur: Whole | None = None
    mask_blur_x: Whole | None = None
    mask_blur_y: Whole | None = None
    inpainting_fill: Whole | None = None
    inpaint_full_res: bool | None = None
    inpaint_full_res_padding: Whole | None = None
    inpainting_mask_invert: bool | None = None
    initial_noise_multiplier: Number | None = None
    include_init_images: bool | None = None


class Extras(Body):
    """How an image is to be enlarged."""

    resize_mode: Whole | None = None
    show_extras_results: bool | None = None
    gfpgan_visibility: Number | None = None
    codeformer_visibility: Number | None = None
    codeformer_weight: Number | None = None
    upscaling_resize: Number | None = None
    upscaling_resize_w: Whole | None = None
    upscaling_resize_h: Whole | None = None
    upscaling_crop: bool | None = None
    upscaler_1: Text | None = None
    upscaler_2: Text | None = None
    extras_upscaler_2_visibility: Number | None = None
    upscale_first: bool | None = None


class ExtraSingle(Extras):
    """The body of `/sdapi/v1/extra-single-image`."""

    image: Text


class NamedFile(BaseModel):
    """One of several pictures."""

    data: Text
    name: Text = ""


class ExtraBatch(Extras):
    """The body of `/sdapi/v1/extra-batch-images`."""

    imageList: list[NamedFile]  # noqa: N815  its name there


class PngInfo(BaseModel):
    """The body of `/sdapi/v1/png-info`."""

    image: Text
