/** The public surface of @waybill/server. */
export {}
