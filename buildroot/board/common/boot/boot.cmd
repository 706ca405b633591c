# U-Boot's part of the A/B boot, for a board whose firmware does not know tryboot. Made into boot.scr, which U-Boot finds
# on the first partition. rootfs-overlay/usr/lib/picam/rauc-backend writes slots.env beside it:
#
#   committed=A|B   the slot that boots
#   trial=A|B|-     the slot that is tried instead, as long as
#   left=0..3       attempts are left
#
# An attempt is counted before it is made: one that cannot be written down is not made.
setenv committed A
setenv trial -
setenv left 0
if load ${devtype} ${devnum}:1 ${ramdisk_addr_r} slots.env; then
	env import -t ${ramdisk_addr_r} ${filesize} committed trial left
fi
setenv slot ${committed}
if test ${trial} != - && itest ${left} -gt 0; then
	setexpr left ${left} - 1
	env export -t ${ramdisk_addr_r} committed left trial
	if fatwrite ${devtype} ${devnum}:1 ${ramdisk_addr_r} slots.env ${filesize}; then
		setenv slot ${trial}
	fi
fi
if test ${slot} = B; then
	setenv boot 3
	setenv root 6
else
	setenv boot 2
	setenv root 5
fi
echo "picam: slot ${slot}, ${left} attempts left"

# The device tree is the firmware's, with its overlays and with its command line but for root and slot.
fdt addr ${fdt_addr}
fdt get value bootargs /chosen bootargs
part uuid ${devtype} ${devnum}:${root} uuid
setenv bootargs "${bootargs} root=PARTUUID=${uuid} rauc.slot=${slot}"
# Where a compressed kernel is unpacked, where U-Boot has no place of its own for it.
test -n "${kernel_comp_addr_r}" || setexpr kernel_comp_addr_r ${ramdisk_addr_r} + 0x8000000
setenv kernel_comp_size 0x4000000
setenv ramdisk -
if load ${devtype} ${devnum}:${boot} ${kernel_addr_r} Image; then
	if load ${devtype} ${devnum}:${boot} ${ramdisk_addr_r} initrd.img; then
		setenv ramdisk ${ramdisk_addr_r}:${filesize}
	fi
	booti ${kernel_addr_r} ${ramdisk} ${fdt_addr}
fi
# Nothing to boot there: the next attempt, or the committed slot.
reset
