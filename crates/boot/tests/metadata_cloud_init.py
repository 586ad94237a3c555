"""Asks a metadata service as cloud-init does, with cloud-init's own code, and prints what it understood as JSON.

Usage: metadata_cloud_init.py BASE-URL. Every request that cloud-init makes, and its answer's status, is among what is
printed. Waiting between retries is switched off: a retry shows as a repeated request.
"""

import json
import sys
import time

import requests

asked = []
send = requests.Session.request


def noting(self, method, url, **arguments):
    answer = send(self, method, url, **arguments)
    asked.append([method, url[len(base):], answer.status_code])
    return answer


base = sys.argv[1]
requests.Session.request = noting
time.sleep = lambda seconds: None

from cloudinit import helpers, util  # noqa: E402
from cloudinit.sources import DataSourceEc2  # noqa: E402

# EC2: the crawl of the data source itself, which believes that it is on AWS and so wants session tokens.
source = DataSourceEc2.DataSourceEc2({}, None, helpers.Paths({"cloud_dir": "/nonexistent", "run_dir": "/nonexistent"}))
source._cloud_name = DataSourceEc2.CloudNames.AWS
source.ds_cfg = {"metadata_urls": [base], "max_wait": 5, "timeout": 5}
crawled = source.crawl_metadata()
crawled["user-data"] = util.decode_binary(crawled.get("user-data") or "")
ec2_asked, asked[:] = list(asked), []

# NoCloud: `read_seeded`, whose result has a fourth member in versions that ask for a network configuration.
seed = [s if isinstance(s, dict) else util.decode_binary(s) for s in util.read_seeded(base + "/nocloud/")]

source.metadata = crawled.get("meta-data")
keys = source.get_public_ssh_keys()
json.dump(
    {"ec2": crawled, "ec2_keys": keys, "ec2_asked": ec2_asked, "nocloud": seed, "nocloud_asked": asked}, sys.stdout
)
