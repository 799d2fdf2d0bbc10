"""Readers of chats exported from Telegram, WhatsApp and Discord. They read the messages of one author only."""
