# SPDX-License-Identifier: BSD-2-Clause
# In the guest: what perfscope can do here, and a recording of a load whose numbers are known.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/tmp
cd /tmp || exit
cp /mnt/perfscope /mnt/known-load .
./perfscope doctor --format json > /mnt/doctor.json 2> /mnt/doctor.err
# The recording goes to the guest's memory: the share is slow.
./perfscope record --quiet -o r.db -- sh -c 'bpftool -j prog show > /mnt/programs.json; ./known-load /dev/nullb0 > /mnt/truth' \
	2> /mnt/record.err
echo $? > /mnt/status
cp r.db /mnt/
