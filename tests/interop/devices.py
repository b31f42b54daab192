"""The devices that the platform knows, their keys and their last values."""

import hashlib
import hmac
import secrets


class Device:
    """One registered device (guide, section 1.2)."""

    def __init__(self, device_id, key_digest):
        self.device_id = device_id
        self.key_digest = key_digest
        # Section 5 of the guide tells the owner of a device that cannot
        # authenticate to check that its state is "activated".
        self.active = True
        # The ``values`` of the data message that arrived last (section 3.3).
        self.last_values = {}
        # The authenticated connections; a device may hold several at once.
        self.connections = set()


class DeviceRegistry:
    """Finds devices by their id and judges their credentials."""

    def __init__(self):
        self._devices = {}
        # Stands in for the digest of a device that does not exist, so that
        # the answer takes the same time whether or not the id is known.
        self._decoy_digest = _digest(secrets.token_hex(32))

    def add(self, device_id, device_key):
        if device_id in self._devices:
            raise ValueError(f"the device {device_id} is given twice")
        self._devices[device_id] = Device(device_id, _digest(device_key))

    def find(self, device_id):
        """Return the device whose id is exactly this one, or None."""
        return self._devices.get(device_id)

    def authenticate(self, device_id, device_key):
        """Return ``(device, None)``, or ``(None, reason)`` if refused.

        An unknown id and a wrong key give the same reason, so that nobody
        learns which ids exist.  That a device is not activated is told only
        to someone who holds its key.
        """
        device = self._devices.get(device_id)
        expected = device.key_digest if device else self._decoy_digest
        key_matches = hmac.compare_digest(expected, _digest(device_key))
        if device is None or not key_matches:
            return None, "Unknown device or wrong key"
        if not device.active:
            return None, "Device is not activated"
        return device, None

    def reset_key(self, device):
        """Give the device a new key, return it, and end its connections.

        Section 1.2 of the guide: a key can be reset, and the device then has
        to authenticate again; section 5: only the newest key is right.
        """
        new_key = secrets.token_hex(32)
        device.key_digest = _digest(new_key)
        _close_connections(device, "the key was reset")
        return new_key

    def activate(self, device):
        device.active = True

    def deactivate(self, device):
        """Refuse the device from now on, and end its connections."""
        device.active = False
        _close_connections(device, "the device was deactivated")


def _digest(device_key):
    # Section 1.2 of the guide says that a key is shown only once; the
    # platform therefore keeps a digest, not the key.  Digests also have one
    # length, so comparing them tells nothing about the length of the key.
    return hashlib.sha256(device_key.encode("utf-8")).digest()


def _close_connections(device, reason):
    # Closing takes a connection out of the set, hence the copy.
    for connection in list(device.connections):
        connection.close(reason)
