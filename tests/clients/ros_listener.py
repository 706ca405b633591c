#!/usr/bin/python3
"""Prints one JSON line for each image on a ROS 1 topic; run by Debian's Python, beside rospy.

usage: ros_listener.py TOPIC
"""

import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import numpy
import rospy
from sensor_msgs.msg import Image
from support import stamp


def show(message):
    picture = numpy.frombuffer(message.data, numpy.uint8).reshape(message.height, message.step)
    picture = picture[:, : message.width * 3].reshape(message.height, message.width, 3)
    found = stamp.decode(picture)
    line = {
        "arrived": time.time(),
        "width": message.width,
        "height": message.height,
        "encoding": message.encoding,
        "sequence": found and found.sequence,
        "age": found and time.time() - found.time,
        # A coarse print of the whole picture, to compare with the photographs: every 64th pixel, BGR.
        "pixels": picture[::64, ::64].tolist(),
    }
    print(json.dumps(line), flush=True)


rospy.init_node("picam_test_listener", anonymous=True, disable_signals=True)
rospy.Subscriber(sys.argv[1], Image, show, queue_size=1, buff_size=1 << 25)
rospy.spin()
