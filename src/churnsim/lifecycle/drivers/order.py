"""The order of a month: what moves before the causes of leaving are weighed, and what ends the month."""

from __future__ import annotations

from churnsim.lifecycle.drivers import arrears, contract, service, shopping, tenure, usage
from churnsim.lifecycle.drivers.base import Driver

BEGIN: tuple[Driver, ...] = (usage.DRIVER, service.DRIVER, arrears.DRIVER, shopping.DRIVER)
END: tuple[Driver, ...] = (contract.DRIVER, tenure.DRIVER)
