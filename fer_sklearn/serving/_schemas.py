"""The answers as OpenAPI shows them."""

from pydantic import BaseModel, Field


class Box(BaseModel):
    """Where a face is, in pixels of the upright picture, from its upper left corner."""

    x: int
    y: int
    width: int
    height: int


class Face(BaseModel):
    """One face."""

    box: Box | None = Field(description="null where the whole picture is the face")
    emotion: str = Field(description="the most probable emotion")
    confidence: float = Field(ge=0, le=1, description="its probability")
    probabilities: dict[str, float] = Field(description="of all emotions; sum 1")


class Picture(BaseModel):
    """One picture, or one face sent as JSON."""

    name: str | None = Field(description="file name as it was sent")
    width: int = Field(description="pixels, after the rotation that the file asks for")
    height: int
    faces: list[Face]
    note: str | None = Field(description="what a person should know about the answer")


class Answer(BaseModel):
    """The pictures in the order of the request."""

    pictures: list[Picture]


class Health(BaseModel):
    """Whether requests are taken."""

    status: str


class Model(BaseModel):
    """The model and its card."""

    name: str
    emotions: list[str]
    image_shape: list[int] = Field(
        description="height and width of a face", min_length=2, max_length=2
    )
    detects_faces: bool = Field(description="whether faces are searched in pictures")
    card: dict


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str = Field(description="one sentence")


def predict_body(limits, image_shape):
    """Describe the request body of ``POST /predict``, which is read by hand.

    Parameters
    ----------
    limits : Limits
        Of which `files` is used.
    image_shape : tuple of int
        Height and width of a face.

    Returns
    -------
    operation : dict
        ``requestBody`` in OpenAPI's words.
    """
    height, width = image_shape
    level = {"type": "integer", "minimum": 0, "maximum": 255}
    row = {"type": "array", "items": level, "minItems": width, "maxItems": width}
    face = {
        "anyOf": [
            {
                "type": "string",
                "description": f"{height * width} grey levels between spaces, row by "
                "row, as in fer2013.csv",
            },
            {"type": "array", "items": row, "minItems": height, "maxItems": height},
        ]
    }
    faces = {"type": "array", "items": face, "minItems": 1, "maxItems": limits.files}
    picture = {"type": "string", "format": "binary"}
    content = {
        "multipart/form-data": _object(
            "files",
            {
                "type": "array",
                "items": picture,
                "minItems": 1,
                "maxItems": limits.files,
                "description": "pictures: JPEG, PNG, WebP, GIF, BMP, TIFF",
            },
        ),
        "application/json": _object("faces", {"anyOf": [*face["anyOf"], faces]}),
        "image/*": {"schema": picture},
    }
    return {"requestBody": {"required": True, "content": content}}


def _object(name, schema):
    return {
        "schema": {
            "type": "object",
            "properties": {name: schema},
            "required": [name],
            "additionalProperties": False,
        }
    }
