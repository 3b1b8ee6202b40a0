"""Simulates a day of a large bot: which part saturates first, how long photos wait, what the machines cost.

    python benches/scaling.py            the table of SCALING.md
    python benches/scaling.py --csv      each minute of the last scenario

Second by second: photos arrive at random (Poisson) at a rate that follows the time of day, wait in the queue, are
analysed by workers, and their replies wait for the platform's limit. Figures that were measured are marked so; all
others are assumptions to be replaced by one's own.
"""

import argparse
import math
import random
from dataclasses import dataclass

DAY = 24 * 3600

# Measured with this program (PERFORMANCE.md, SCALING.md), on one core of an AMD EPYC (Zen 4).
PORTRAIT_SECONDS = 0.009  # one large face
OTHER_SECONDS = 0.100  # groups, small faces, none
NATS_OPERATIONS = 10  # requests to the NATS server for each photo

# Discord's and Telegram's documentation.
IDENTIFY_SECONDS = 5  # between two sessions of a bot whose max_concurrency is 1
DISCORD_REQUESTS = 50  # a second, over all of a bot's requests
TELEGRAM_MESSAGES = 30  # a second, over all of a bot's messages


@dataclass
class Scenario:
    """What is assumed."""

    name: str
    photos_a_day: int = 10_000_000
    shards: int = 1000
    peak: float = 2.0  # the busiest hour's rate, relative to the mean
    portraits: float = 0.75  # the share of photos with one large face
    commands: float = 0.0  # the share of photos that come with /guess, whose replies do not count against the global limit
    requests: float = DISCORD_REQUESTS  # Discord's limit for this bot
    requests_a_reply: float = 1.1  # replies, a few look-ups and typing indicators
    megabytes: float = 1.0  # a photo's file
    events_a_shard: float = 15.0  # gateway events a second
    event_seconds: float = 30e-6  # parsing one
    utilisation: float = 0.6  # of the cores at the busiest hour, so that bursts do not wait
    core_price: float = 12.0  # euros a month for one dedicated core with 2 GB, at a low-cost host
    network_megabytes: float = 100.0  # a second, that a machine of 8 cores receives (1 Gbit/s)
    nats_rate: float = 20_000.0  # operations a second of one server, on disk


def seconds_a_photo(scenario):
    """Mean CPU time of one photo."""
    return scenario.portraits * PORTRAIT_SECONDS + (1 - scenario.portraits) * OTHER_SECONDS


def rate(scenario, second):
    """Photos a second at a time of day."""
    mean = scenario.photos_a_day / DAY
    return mean * (1 - (scenario.peak - 1) * math.cos(2 * math.pi * second / DAY))


def poisson(mean, generator):
    """A Poisson number; by its normal approximation, which suits means above 30."""
    return max(0, round(generator.gauss(mean, math.sqrt(mean))))


def needs(scenario):
    """Cores, machines and load at the busiest time."""
    busiest = scenario.photos_a_day / DAY * scenario.peak
    cores = busiest * seconds_a_photo(scenario) / scenario.utilisation
    machines = max(math.ceil(cores / 8), math.ceil(busiest * scenario.megabytes / scenario.network_megabytes))
    gateway_cores = scenario.shards * scenario.events_a_shard * scenario.event_seconds / scenario.utilisation
    gateways = max(2, math.ceil(gateway_cores))
    messages = busiest * (1 - scenario.commands) * scenario.requests_a_reply
    return {
        "cores": cores,
        "machines": machines,
        "discord": messages / scenario.requests,
        "network": busiest * scenario.megabytes / machines / scenario.network_megabytes,
        "nats": busiest * NATS_OPERATIONS / scenario.nats_rate,
        "euros": (machines * 8 + gateways + 3 * 2) * scenario.core_price,
    }


def simulate(scenario, seed=1):
    """One day: rows of (second, waiting for workers, waiting for Discord, wait in seconds)."""
    generator = random.Random(seed)
    capacity = needs(scenario)["machines"] * 8 / seconds_a_photo(scenario)
    replies = scenario.requests / scenario.requests_a_reply
    queue = outbox = 0.0
    for second in range(DAY):
        arrived = poisson(rate(scenario, second), generator)
        queue += arrived
        analysed = min(queue, capacity)
        queue -= analysed
        outbox += analysed * (1 - scenario.commands)
        outbox -= min(outbox, replies)
        yield second, queue, outbox, queue / capacity + outbox / replies


SCENARIOS = [
    Scenario("messages, Discord's usual limit"),
    Scenario("three quarters by command", commands=0.75),
    Scenario("messages, limit raised to 500", requests=500.0),
    Scenario("the same, no large faces", requests=500.0, portraits=0.25),
    Scenario("one million photos a day, 100 shards", photos_a_day=1_000_000, shards=100),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", action="store_true")
    arguments = parser.parse_args()
    if arguments.csv:
        print("minute,queue,outbox,wait_s")
        for second, queue, outbox, wait in simulate(SCENARIOS[-1]):
            if second % 60 == 0:
                print(f"{second // 60},{queue:.0f},{outbox:.0f},{wait:.1f}")
        return
    print("| scenario | photos a second, mean and busiest | workers' cores | machines | Discord's limit used | their network | NATS | longest wait | euros a month |")
    print("|---|---|---|---|---|---|---|---|---|")
    for scenario in SCENARIOS:
        need = needs(scenario)
        wait = max(row[3] for row in simulate(scenario))
        mean = scenario.photos_a_day / DAY
        longest = f"{wait:.0f} s" if wait < 120 else f"{wait / 3600:.1f} h, **hopeless**"
        cells = [
            scenario.name,
            f"{mean:.0f}, {mean * scenario.peak:.0f}",
            f"{need['cores']:.0f}",
            f"{need['machines']}",
            f"{need['discord']:.0%}",
            f"{need['network']:.0%}",
            f"{need['nats']:.0%}",
            longest,
            f"{need['euros']:.0f}",
        ]
        print("| " + " | ".join(cells) + " |")
    sessions = SCENARIOS[0].shards * IDENTIFY_SECONDS / 60
    print(f"\nStarting {SCENARIOS[0].shards} sessions anew, one every {IDENTIFY_SECONDS} s: {sessions:.0f} minutes.")


if __name__ == "__main__":
    main()
