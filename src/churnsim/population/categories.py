"""What the codes of category columns mean, in code order from 0."""

from __future__ import annotations

CUSTOMER_TYPES = ("individual", "family", "enterprise_small", "enterprise_large")
PAYMENTS = ("postpaid", "prepaid")
LOCALITIES = ("local", "migrant")
STATES = ("prospect", "entry", "growth", "stable", "decline", "suspended", "churned")
USAGE_SCENARIOS = ("general", "voice_led_senior", "data_led_young", "student", "business_traveller", "converged_family",
                   "finance", "health", "manufacturing", "other_industry")
BRAND_TIERS = ("budget", "standard", "premium")
ACQUISITION_CHANNELS = ("own_shop", "online", "social_dealer")
BUILDING_ACCESS = ("own_line_only", "shared")
VALUE_TIERS = ("low", "mid", "high")
NEEDS = ("none", "night_data", "roaming", "large_print", "smart_home", "office_cloud", "network_slice",
         "edge_computing")
COMPLAINT_TYPES = ("none", "network", "billing", "care")
