"""What `auto` found and chose, in words."""

from zspot.algorithms.auto.choice import Choice

_SECOND = "the pretrained estimate guides a second one made of similar patches"


def explain(choice: Choice) -> str:
    """Say in one short sentence what the noise is and what is done."""
    strength = choice.recipe.finish.strength
    if choice.route == "doubtful":
        some = f"only {strength:.0%} of it is taken away"
        left = some if strength else "the image stays as it is"
        return f"what looks like noise may be texture, so {left}"
    if choice.route == "correlated":
        if strength < 1:
            some = f"only {strength:.0%} of what is found is taken away"
            return f"the noise is correlated between pixels and may be texture, so {some}"
        return f"the noise is correlated between pixels, so {_SECOND}"
    if choice.route == "unknown":
        what = "the noise is of a kind that the pretrained network does not know, so it is made"
        return f"{what} white by adding noise, and {_SECOND.replace('the pretrained', 'that')}"
    if choice.route == "uneven":
        return f"the noise is white and changes with the brightness, so {_SECOND}"
    if choice.recipe.fit.steps:
        learns = "the pretrained network learns on from the image"
        return f"the noise is white, so {learns}, and {_SECOND.replace('the pretrained', 'its')}"
    unsure = "" if choice.evidence.is_agreed else " but hard to tell from texture"
    return f"the noise is white{unsure}, so {_SECOND}"


def reason(choice: Choice) -> str:
    """Return the sentence of `explain`, what was measured and what follows, by semicolons."""
    evidence, recipe = choice.evidence, choice.recipe
    correlated = f"neighbouring pixels of the noise correlate by {evidence.correlation:.2f}"
    said = [explain(choice), f"{correlated} and it is {evidence.share:.1%} of the image's variance"]
    if choice.effort == "large":
        said.append(f"{choice.megapixels:.0f} megapixels, so no turned views and a sparser search")
    if recipe.fit.steps:
        weight = f"the non-local estimate of similar patches has weight {recipe.finish.similar}"
        said.append(f"the noise learned from is drawn like the image's; {weight}")
    elif recipe.finish.similar:
        phases = ", on the whole image and on its 2x2 phases" if recipe.predict.phases > 1 else ""
        said.append(f"the second estimate is a non-local one{phases}")
    if choice.route == "white" and not evidence.is_agreed:
        said.append(f"{evidence.agreement:.0%} of its measured variance is removed at first")
    if recipe.finish.centre == "median":
        way = "all" if recipe.finish.shift == 1 else "half"
        said.append(f"moved {way} the way to the local median")
    if recipe.finish.strength < 1:
        why = "so little, so uneven or so close to detail that it may be texture"
        said.append(f"{why}; other methods remove more")
    if choice.found:
        said.append(choice.found)
    return "; ".join(said)
