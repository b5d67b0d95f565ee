"""What a user must know to choose the family. The api reads this, so that nothing large is imported here."""

from services.jobs.families import FamilyCard

CARD = FamilyCard(
    name="puppet",
    licence="Apache-2.0",
    description="An example: the jaw falls as loud as the voice is",
)
