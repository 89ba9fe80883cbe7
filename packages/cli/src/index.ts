/** The public surface of @waybill/cli. */
export {}
