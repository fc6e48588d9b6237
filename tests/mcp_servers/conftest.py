import os

# It writes to the terminal by itself, whatever captures the log.
os.environ["FASTMCP_LOG_ENABLED"] = "false"
