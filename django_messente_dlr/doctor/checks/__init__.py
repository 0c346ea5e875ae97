"""The checks of ``messente_doctor``, one module for each topic."""
