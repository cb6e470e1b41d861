"""Storage that is no plain disk: multipath, iSCSI, NFS."""
