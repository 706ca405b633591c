"""A laboratory for the appliance image: builds one for qemu and plays the Raspberry Pi around it."""
