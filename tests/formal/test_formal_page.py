"""The page of the proofs is complete and up to date."""

from tests.formal import page


def test_the_page_is_up_to_date():
    written = page.PAGE.read_text(encoding="utf-8")
    assert written == page.page(), "run: python -m tests.formal.page"


def test_every_proof_is_on_the_page():
    """None is hidden by another way to state it, and each has faults beside it."""
    for module in page.modules():
        found = {proof.name.rpartition(":")[2] for proof in page.proofs(module)}
        tests = {name for name in vars(module) if name.startswith("test_")}
        refuting = {name for name in tests if name.startswith(("test_faulty_", "test_a_"))}
        assert found == tests - refuting, module.__name__
        assert refuting, f"{module.__name__} shows no fault"


def test_what_is_given_up_has_a_place():
    files = {module.__name__.rpartition(".")[2] for module in page.modules()}
    assert set(page.GIVEN_UP) - {"the chip"} <= files
    names = {proof.name for module in page.modules() for proof in page.proofs(module)}
    assert set(page.SECONDS) == names
